"""The results of a batch for people: a contact sheet and an HTML page. Takes rows and files, never a client."""
