"""Which machine a run gets, and what it costs at the most."""
