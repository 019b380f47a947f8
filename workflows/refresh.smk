# The night: deliveries → intake → linkage → store → one snapshot, shared by all permits.
# Runs in the site's folder; each rule's output is the receipt of its stage, written last. What is sealed lies in the zones.

receipts = expand("receipts/intake/{delivery}.json", delivery=config["deliveries"])

rule refresh:
    input: "receipts/store.json"

rule intake:
    input: "deliveries/{source}/{delivery}/delivery.yaml"
    output: "receipts/intake/{source}/{delivery}.json"
    threads: config["threads"]
    resources: mem_mb=config["memory"]["intake"], dask=1
    shell: "{config[uttag]} stage intake --delivery {wildcards.source:q}/{wildcards.delivery:q} {config[workers]}"

rule linkage:
    input: receipts
    output: "receipts/linkage.json"
    threads: config["threads"]
    resources: **config["ranks"], mem_mb_per_cpu=config["memory"]["linkage"]
    shell: "{config[launch]} {config[uttag]} stage linkage"

rule store:
    input: receipts, "receipts/linkage.json"
    output: "receipts/store.json"
    threads: config["threads"]
    resources: **config["ranks"], mem_mb_per_cpu=config["memory"]["store"]
    shell: "{config[launch]} {config[uttag]} stage store"
