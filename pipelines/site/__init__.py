"""One centre: its settings, deliveries, snapshots, permits, signatures and log."""
