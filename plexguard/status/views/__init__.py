"""How each guarded thing is, from an observation: a module for what belongs together. Pure."""
