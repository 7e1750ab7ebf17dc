"""What every plug-in of a kind promises, as tests: its author subclasses a contract and says what to try it with.

They are written for pytest and import it nowhere.
"""
