"""The tasks that flows make by themselves: constants, collections, operators, functions."""
