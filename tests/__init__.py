"""Tests of cowbench."""
