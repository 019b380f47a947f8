# The night: deliveries → intake → linkage → store → one snapshot, shared by all permits.
# Runs in the site's folder; each rule's output is the receipt of its stage, written last. What is sealed lies in the zones.

from pipelines.compute.asked import asked

receipts = expand("receipts/intake/{delivery}.json", delivery=config["deliveries"])

rule refresh:
    input: "receipts/store.json"

rule intake:
    input: "deliveries/{source}/{delivery}/delivery.yaml"
    output: "receipts/intake/{source}/{delivery}.json"
    threads: config.get("intake_threads", config["threads"])
    resources: **asked(config, "intake")
    shell: "{config[uttag]} stage intake --delivery {wildcards.source:q}/{wildcards.delivery:q} {config[workers][intake]} --each {resources.worker_mb}:{resources.runtime}"

rule linkage:
    input: receipts
    output: "receipts/linkage.json"
    threads: config["threads"]
    resources: **asked(config, "linkage")
    shell: "{config[launch][linkage]} {config[uttag]} stage linkage"

rule store:
    input: receipts, "receipts/linkage.json"
    output: "receipts/store.json"
    threads: config["threads"]
    resources: **asked(config, "store")
    shell: "{config[launch][store]} {config[uttag]} stage store"
