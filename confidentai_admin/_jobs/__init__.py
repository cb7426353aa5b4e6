"""What takes several operations: each job is made of calls, and knows no noun of the public tree."""
