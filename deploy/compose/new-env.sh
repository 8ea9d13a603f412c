#!/bin/sh
# Prints .env.example with every empty secret filled at random: sh deploy/compose/new-env.sh > .env
# What is empty afterwards (your gateway, issuer, JWKS, peer token) is yours to fill in.
set -eu
umask 077

while IFS= read -r line; do
  case $line in
    *_PASSWORD= | *_SECRET=) echo "$line$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;;
    *) echo "$line" ;;
  esac
done <"$(dirname "$0")/../../.env.example"
