"""What the five services share. No business noun lives here; each module is deep and alone."""
