"""What the commands do, one file per command. Its flags and its help are beside this room, and need none of it.

It must never be imported by what only shows a help or completes a line: `etl.cli.gathering.done_in` loads it.
"""
