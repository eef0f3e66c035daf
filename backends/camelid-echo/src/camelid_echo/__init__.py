"""The smallest complete Camelid backend: it answers with your own words.

`plugin` holds the hooks, `options` what may be set, `backend` the objects that do the work (one class a contract),
`registry` the model `camelid/echo`, so that it can be pulled and run like any other.
"""
