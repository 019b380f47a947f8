# One permit: snapshot + permit → cohort → aggregation → disclosure → measures → release.
# A run's folder is named by the permit, the snapshot and the version of uttag: nothing in it is ever made twice.

from pipelines.compute.asked import asked

run = "projects/" + config["permit"] + "/runs/" + config["run"]
stage = "{config[uttag]} stage {rule} --permit {config[permit]:q} --snapshot {config[snapshot]:q}"

rule bundle:
    input: f"{run}/release.json"

rule cohort:
    output: f"{run}/cohort.json"
    threads: config["threads"]
    resources: **asked(config, "cohort")
    shell: stage + " {config[workers][cohort]} --each {resources.worker_mb}:{resources.runtime}"

rule aggregation:
    input: f"{run}/cohort.json"
    output: f"{run}/aggregation.json"
    threads: config["threads"]
    resources: **asked(config, "aggregation")
    shell: stage + " {config[workers][aggregation]} --each {resources.worker_mb}:{resources.runtime}"

rule disclosure:
    input: f"{run}/aggregation.json"
    output: f"{run}/disclosure.json"
    resources: **asked(config, "disclosure")
    shell: stage

rule measures:
    input: f"{run}/disclosure.json"
    output: f"{run}/measures.json"
    resources: **asked(config, "measures")
    shell: stage

rule release:
    input: f"{run}/measures.json"
    output: f"{run}/release.json"
    resources: **asked(config, "release")
    shell: stage
