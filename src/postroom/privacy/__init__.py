"""Privacy: forgetting a person, and forgetting what is past its time."""
