/** Tests make files that users of other ids read, and compare modes: whoever starts them may have a stricter umask. */
process.umask(0o022);
