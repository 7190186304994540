"""The phases of a run, a module each: work() does it, and release() gives back what it holds. In the order of chain.PHASES."""
