"""Scaleway's Instance API: api.py makes calls, parse.py reads answers, provider.py knows the recipes."""
