// PostGraphile over the benchmark's database, as its documentation advises for production. Arguments: URL, port.
'use strict'
const { createServer } = require('node:http')
const { createRequire } = require('node:module')
const here = createRequire(`${process.cwd()}/`)
const { Pool } = here('pg')
const { postgraphile } = here('postgraphile')

const [url, port] = process.argv.slice(2)
const pool = new Pool({ connectionString: url })
const options = {
  disableQueryLog: true,
  dynamicJson: true,
  enableCors: false,
  graphiql: false,
  ignoreIndexes: true,
  ignoreRBAC: true,
  legacyRelations: 'omit',
  retryOnInitFail: false,
  setofFunctionsContainNulls: false,
}
createServer(postgraphile(pool, ['perps', 'bench'], options)).listen(Number(port), '127.0.0.1')
