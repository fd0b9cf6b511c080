//! Fields, rules, bundle format, indexes and evaluation of Sallyport rulesets.
