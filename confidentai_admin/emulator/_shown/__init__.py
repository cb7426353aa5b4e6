"""How each version of the API shows what the rules give: names, masks, times, and what is left out."""
