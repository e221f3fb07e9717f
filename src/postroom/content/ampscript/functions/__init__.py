"""The functions of the language, a family a file; ``registry`` says how one is written and finds them all."""
