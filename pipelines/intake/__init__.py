"""Intake: deliveries in, checked and mapped to the common event model, identities apart from events."""

from pipelines.intake.stage import intake

__all__ = ["intake"]
