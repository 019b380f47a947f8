# The night: deliveries → intake → linkage → store → one snapshot, shared by all permits.
# Runs in the site's folder; each rule's output is the receipt of its stage, written last. What is sealed lies in the zones.
# What is due, and why, is the plan's (workflows/plan.py), which dates orders and receipts: no clock counts.

from pipelines.compute.asked import asked

receipts = expand("receipts/intake/{delivery}.json", delivery=config["deliveries"])

def before(wildcards):
    """A correction is read after what it replaces."""
    first = config["after"].get("/".join([wildcards.source, wildcards.delivery]))
    return [f"receipts/intake/{first}.json"] if first else []

rule refresh:
    input: receipts, "receipts/store.json"

rule intake:
    input: "runs/orders/intake/{source}/{delivery}", before
    output: "receipts/intake/{source}/{delivery}.json"
    threads: config.get("intake_threads", config["threads"])
    resources: **asked(config, "intake")
    shell: "{config[uttag]} stage intake --delivery {wildcards.source:q}/{wildcards.delivery:q} {config[workers][intake]} --each {resources.worker_mb}:{resources.runtime}"

rule linkage:
    input: "runs/orders/linkage", receipts
    output: "receipts/linkage.json"
    threads: config["threads"]
    resources: **asked(config, "linkage")
    shell: "{config[launch][linkage]} {config[uttag]} stage linkage"

rule store:
    input: "runs/orders/store", "receipts/linkage.json", receipts
    output: "receipts/store.json"
    threads: config["threads"]
    resources: **asked(config, "store")
    shell: "{config[launch][store]} {config[uttag]} stage store"
