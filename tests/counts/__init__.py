"""What does not depend on the machine, counted: connections, requests, hand-overs between threads, and pages."""
