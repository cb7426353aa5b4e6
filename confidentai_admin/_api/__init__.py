"""How the API is spoken: what is asked in our words, and how each version says it on the wire. No I/O."""
