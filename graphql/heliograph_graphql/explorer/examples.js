// What a newcomer may want to ask first.

export const examples = [
  { name: "Markets", about: "Prices, funding and open interest now", query: `query Markets {
  markets {
    nodes {
      symbol
      markPrice
      indexPrice
      fundingRate
      openInterestLong
      openInterestShort
    }
    completeThrough { slot time }
  }
}
` },
  { name: "Largest open positions", about: "With their latest changes", query: `query Positions {
  positions(first: 10, where: { status: { eq: OPEN } }, orderBy: [{ size: DESC }]) {
    nodes {
      id
      wallet
      side
      size
      entryPrice
      liquidationPrice
      funding
      market { symbol markPrice }
      changes(first: 3) {
        nodes { kind sizeDelta price blockTime }
      }
    }
    totalCount
    pageInfo { hasNextPage endCursor }
  }
}
` },
  { name: "Trades of a market", about: "Newest first, a page at a time", variables: { symbol: "SOL-PERP" }, query: `query Trades($symbol: String!, $after: String) {
  trades(first: 20, after: $after, where: { marketSymbol: { eq: $symbol } }) {
    nodes {
      blockTime
      slot
      takerSide
      price
      size
      taker
      maker
      liquidation
    }
    pageInfo { hasNextPage endCursor }
  }
}
` },
  { name: "Funding rates", about: "Rate, premium and prices", query: `query FundingRates {
  fundingRates(first: 20) {
    nodes {
      blockTime
      marketSymbol
      rate
      premium
      interest
      markPrice
      indexPrice
    }
  }
}
` },
  { name: "Liquidations", about: "And the positions they hit", query: `query Liquidations {
  liquidations(first: 20) {
    nodes {
      blockTime
      marketSymbol
      wallet
      liquidator
      side
      size
      price
      badDebt
      positionId
    }
    coverage { from through truncated gaps { from through } }
  }
}
` },
  { name: "How complete is it?", about: "Streams, heads and gaps", query: `query Status {
  status {
    streams {
      name
      headSlot
      finalSlot
      completeThrough
      gaps
      seq
      committedAt
    }
  }
}
` },
  { name: "Trades", live: true, about: "Each fill as it is indexed", query: `subscription Trades($after: String) {
  trades(after: $after) {
    cursor
    kind
    seq
    discard { fromSlot throughSlot }
    nodes { marketSymbol takerSide price size slot }
  }
}
` },
  { name: "Position changes", live: true, about: "Opens, updates, closes, funding", query: `subscription PositionChanges($after: String) {
  positionChanges(after: $after, where: { kind: { in: [OPEN, CLOSE, LIQUIDATION] } }) {
    cursor
    nodes { kind wallet marketSymbol side sizeDelta price positionId }
  }
}
` },
  { name: "Liquidations", live: true, about: "As they happen", query: `subscription Liquidations($after: String) {
  liquidations(after: $after) {
    cursor
    nodes { marketSymbol wallet side size price badDebt }
  }
}
` },
  { name: "Funding payments", live: true, about: "Positive when received", query: `subscription FundingPayments($after: String) {
  fundingPayments(after: $after) {
    cursor
    nodes { marketSymbol wallet side size rate amount }
  }
}
` },
];

export const introspection = `{ __schema { queryType { name } subscriptionType { name } types { kind name description
  fields { name description args { name description type { ...T } } type { ...T } }
  inputFields { name description type { ...T } } enumValues { name description } } } }
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`;
