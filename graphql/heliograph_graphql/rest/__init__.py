"""REST: stored GraphQL operations, one table for their routes, their parameters and their OpenAPI page."""
