"""The wire format of the directory's copies: none of their own, they are heard as intake's contracts."""
