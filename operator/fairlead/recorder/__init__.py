"""The recorder: keeps pairs of answers for people to look at, without what is secret in them, and not for long.

content, redaction, pairing      pure: what was said, what is taken out of it, which parts belong together
shelf -> server                  files with a bound of time and size; HTTP, which takes parts and gives nothing back
"""
