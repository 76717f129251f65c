"""What the client costs, measured in one run against a floor or a peer: `make bench`."""
