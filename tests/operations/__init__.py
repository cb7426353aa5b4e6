"""The operations of both faces: what they send, what they give, and what they do."""
