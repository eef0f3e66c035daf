"""The OpenAPI document, made of the routes and their descriptions when somebody asks for it."""
