#!/bin/bash
# An array of Slurm: sbatch slurm.sh. What was killed is completed by submitting it again.
#SBATCH --job-name=embed-reviews
#SBATCH --array=0-15
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --requeue
set -euo pipefail

export TOKENBED_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
srun node shard.mjs /shared/vectors /shared/model /shared/reviews.jsonl
