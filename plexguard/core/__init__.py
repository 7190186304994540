"""What every program of the suite shares. Imports no program."""
