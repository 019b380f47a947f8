"""The one kind of thing that passes the gate, in memory and on disk, and the rule that it must withstand."""
