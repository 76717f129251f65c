"""What a batch made, to look at: a contact sheet and an HTML page. Takes rows and files, never a client."""
