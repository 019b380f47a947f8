"""The columns of every file that two stages share, and the one meaning of each sentinel.

A schema maps a column's name to its type:

=============  ==========================================================================================
``int8`` …     numpy integers of that width
``day``        int32, days since 1970-01-01, `DAY_UNKNOWN` if unknown
``fixed``      int64, fixed-point with `VALUE_SCALE` parts to the unit, `VALUE_MISSING` if there is none
``textN``      fixed-width UTF-8 bytes (numpy ``S{N}``), empty if missing
``category``   `frames.Category`: int32 positions into a list of labels, `NO_CATEGORY` if missing
=============  ==========================================================================================

A span of days has its `start` and its `end`, and both are inside: in every file and every frame `end` is the
last day, `DAY_OPEN` where it has not come yet. Code that counts days turns it into the first day after, and
calls that `until` (`frames.until_of`). Nobody is `NO_PERSON`; a keyed hash (`token`, `encounter`) of 0 stands
for nothing.
"""

from __future__ import annotations

from typing import Final

Schema = dict[str, str]

DAY_UNKNOWN: Final = -(2**31)
DAY_OPEN: Final = 2**31 - 1  # an interval that has not ended
VALUE_SCALE: Final = 10_000
VALUE_MISSING: Final = -(2**63)
NO_CATEGORY: Final = -1
NO_PERSON: Final = -1

SEX_UNKNOWN, SEX_MAN, SEX_WOMAN = 0, 1, 2

# Identity numbers, as `identities.number_kind` holds them.
NUMBER_KINDS: Final = (
    "none",
    "personnummer",
    "samordningsnummer",
    "reserve_stockholm",
    "reserve_vgr",
    "reserve_national",
    "invalid",
    "token",
)

# What an event is, as `events.kind` holds it.
KINDS: Final = (
    "diagnosis",
    "procedure",
    "drug",
    "measurement",
    "visit",
    "death",
    "residence",
    "observation",
    "opt_out",
    "birth",
)
KIND: Final = {name: position for position, name in enumerate(KINDS)}

# Where care was given, as `events.setting` holds it.
SETTINGS: Final = ("unknown", "inpatient", "outpatient", "primary", "emergency")
SETTING: Final = {name: position for position, name in enumerate(SETTINGS)}

# identity zone, written by intake: one row for each person that a source speaks of.
IDENTITIES: Final[Schema] = {
    "record": "int64",  # keyed hash of (source, the source's own reference): the same in every delivery
    "number": "text16",  # canonical identity number, empty if missing or not well formed
    "number_kind": "int8",
    "token": "int64",  # keyed hash of the canonical number, 0 if none: what exact linkage compares
    "previous_token": "int64",  # token of the number that this one replaced, 0 if none
    "given": "text32",  # upper case, as delivered otherwise
    "surname": "text32",
    "birth_day": "day",
    "sex": "int8",
    "postcode": "text8",
    "valid_from": "day",  # the days between which the source used this number for this person
    "valid_to": "day",
}

# store zone, written by intake: what happened, before anyone knows to whom.
ACCEPTED_EVENTS: Final[Schema] = {
    "record": "int64",
    "start": "day",
    "end": "day",
    "concept": "category",  # "ICD-10-SE/E119": code system, slash, code without dots or blanks
    "value": "fixed",
    "unit": "category",
    "kind": "int8",
    "position": "int8",  # 1 primary, 2 and on secondary, 0 not said
    "setting": "int8",
    "care_unit": "category",
    "encounter": "int64",  # keyed hash of the source's visit id, 0 if none
}

# store zone, written by intake for a delivery with a concept table, and by store for a snapshot: what lies
# above the codes that occur.
ANCESTORS: Final[Schema] = {  # ascending by (concept, ancestor), each once
    "concept": "category",  # a label that an event has
    "ancestor": "category",  # the label of a concept above it, and "OMOP/" with that concept's id
    "itself": "int8",  # 1 where that is no other concept, but its own: of the source, or the standard one
}

# identity zone, written by intake: why a row was turned away, never what it held.
QUARANTINE: Final[Schema] = {"file": "category", "row": "int64", "reason": "category", "column": "category"}

# store zone, written by linkage.
PERSON_INDEX: Final[Schema] = {
    "record": "int64",  # ascending
    "person": "int64",
    "link": "int8",  # position in LINKS
    "weight": "int32",  # match weight in 1/1000 bits, 0 where a rule decided
}
LINKS: Final = ("alone", "anchor", "number", "weight")
PERSONS: Final[Schema] = {"person": "int64", "sex": "int8", "birth_day": "day"}  # ascending by person

# store zone, written by linkage: what is not certain of the index. A unit is the records that share a number,
# or one that shares none, and is named by its first delivered record. `UNITS`: every unit that a match weight
# alone holds to its person, or that may be somebody else's; sex and birth day are what it says of itself.
# `TIES`: the one tie that holds it, and those that were not made, to units with an anchor or number of their
# own. The odds of a tie of w bits are 2^w, against each other and against none of them.
UNITS: Final[Schema] = {
    "record": "int64",
    "unit": "int64",
    "sex": "int8",
    "birth_day": "day",
}  # ascending by record
TIES: Final[Schema] = {  # ascending by (unit, made, toward)
    "unit": "int64",
    "toward": "int64",  # name of the unit that it hangs on, or would
    "weight": "int32",
    "made": "int8",  # 1 for the tie that holds the unit, 0 for one that was not made
}

# store zone, written by linkage: how the persons came to be, one row for each change of a kind in CHANGES:
# records go from `before` to `after`.
LINKAGE_HISTORY: Final[Schema] = {  # ascending by (version, before, after)
    "version": "int32",  # how many indexes there have been, this one included
    "day": "day",  # latest day of an active delivery
    "kind": "category",
    "before": "int64",  # person whose records they were, NO_PERSON if nobody's
    "after": "int64",  # person whose records they are, NO_PERSON if nobody's
    "records": "int64",
    "evidence": "category",  # one of EVIDENCE
    "weight": "int32",
}
CHANGES: Final = ("new", "gone", "merge", "split", "moved")
EVIDENCE: Final = ("delivered", "withdrawn", "corrected", "reweighed", "number", "weight", "unknown")

# store zone, written by store: one set of files per shard.
SHARD_PERSONS: Final[Schema] = {
    "person": "int64",  # ascending; the other files of the shard hold positions in this column
    "sex": "int8",
    "birth_day": "day",
    "death_day": "day",
    "opt_out_day": "day",
}
SHARD_PERIODS: Final[Schema] = {  # observation periods, disjoint, ascending by (person, start)
    "person": "int32",
    "start": "day",
    "end": "day",
}
SHARD_RESIDENCES: Final[Schema] = {  # ascending by (person, start)
    "person": "int32",
    "start": "day",
    "end": "day",
    "municipality": "category",  # SCB code of four digits
}
SHARD_EVENTS: Final[Schema] = {  # ascending by (person, start, end, concept, value, …)
    "person": "int32",
    "start": "day",
    "end": "day",
    "concept": "category",  # labels ascending, so a code prefix is a range
    "value": "fixed",
    "unit": "category",
    "kind": "int8",
    "position": "int8",
    "setting": "int8",
    "source": "category",
    "care_unit": "category",
    "encounter": "int64",
}
SHARD_POSTINGS: Final[
    Schema
] = {  # the same events by (concept, person, start, row), those without a concept last
    "concept": "int32",  # position in the labels of `SHARD_CODES`, NO_CATEGORY for none
    "person": "int32",
    "start": "day",
    "row": "int32",  # position in the shard's events
    **{name: kind for name, kind in SHARD_EVENTS.items() if name not in ("concept", "person", "start")},
}
SHARD_CODES: Final[Schema] = {  # ascending: what codes the shard has, and how many postings of each
    "concept": "category",
    "rows": "int64",
}

# projects zone, written by cohort: who is in, and for how long.
MEMBERS: Final[Schema] = {  # ascending
    "person": "int64",
    "start": "day",
    "end": "day",  # the last day of follow-up
    "ended": "int8",  # why that is the last: position in ENDS
}
# Why follow-up ends, the first of these that holds of its last day: the person dies on it; an event of
# `censor` begins on it; the study ends with it; observation does; the days of `follow_up` are over; the era
# of exposures is. Opt-outs are none: who has opted out is in no cohort.
ENDS: Final = ("death", "censored", "study_end", "moved", "follow_up", "exposure_end")

# projects zone, written by cohort: controls of its members, where the definition asks for them.
CONTROLS: Final[Schema] = {  # ascending by (case, person)
    "person": "int64",
    "start": "day",  # the case's index day
    "end": "day",
    "case": "int64",  # the member that it is the control of
}

# projects zone, written by disclosure where cell keys change the numbers: how probable each change is. The
# verifier checks it, and looks every number up in it again.
TRANSITIONS: Final[Schema] = {  # ascending by i
    "i": "int64",  # a true count, the last one for all larger ones, too
    "v": "int64",  # by how much it changes
    "bound": "int64",  # for keys below it, of 10^12, and not below that of the change before
}
