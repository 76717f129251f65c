"""The server's responses as typed objects that also read as mappings.

The fields are those that the client itself relies on, named as the server names them; whatever else a server sends
is kept (`record["device"]`). The source is the server's own OpenAPI document.
"""
