"""The suite; its folders mirror the floors of the package."""
