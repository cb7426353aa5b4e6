"""What each version of the API accepts: its routes, and the shapes of bodies, queries and answers."""
