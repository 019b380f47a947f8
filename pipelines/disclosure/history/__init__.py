"""What a site has released, whatever the permit, and how a new release is proved together with all of it."""
