"""The API: GraphQL schema, query compiler, subscriptions, application."""
