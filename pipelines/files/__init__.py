"""Files and the tables in them: the ground that everything else stands on."""
