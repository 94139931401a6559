# Let recsys find this folder's conf/ and Python files: . ./env.sh
here=$$(cd "$$(dirname "$${BASH_SOURCE:-$$0}")" && pwd)
export RECSYS_CONF="$$here/conf" PYTHONPATH="$$here$${PYTHONPATH:+:$$PYTHONPATH}"
export RECSYS_TRUST="letters"  # modules of this folder whose classes a stored run may name
