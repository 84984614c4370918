"""From a consented person's footage to what a persona is made of: takes, their coverage, guide pictures, a pack."""
