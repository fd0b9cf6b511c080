terraform {
  required_version = ">= 1.5"
}

variable "vpc_cidr" {
  type    = string
  default = "10.1.0.0/16"
}

locals {
  partners = [".partner.example", "api.example"]
  legacy   = ["pass tls $HOME_NET any -> any 443 (tls.sni; content:\"old.example\"; startswith; endswith; sid:401;)", "pass tls $HOME_NET any -> any 443 (tls.sni; content:\"older.example\"; startswith; endswith; sid:402;)"]
}

resource "aws_networkfirewall_rule_group" "allow_domains" {
  capacity = 100
  name     = "allow-domains"
  type     = "STATEFUL"

  rule_group {
    rule_variables {
      ip_sets {
        key = "HOME_NET"
        ip_set {
          definition = ["10.0.0.0/8"]
        }
      }
      ip_sets {
        key = "SPOKE"
        ip_set {
          definition = [var.vpc_cidr]
        }
      }
      port_sets {
        key = "WEB"
        port_set {
          definition = ["80", "8080"]
        }
      }
    }
    rules_source {
      rules_string = <<-EOT
        # what may go out
        pass tls $HOME_NET any -> any 443 (tls.sni; dotprefix; content:".aws.example"; endswith; flow:to_server; sid:101;)
        pass http $HOME_NET any -> any $WEB (http.host; content:"mirror.example"; startswith; endswith; flow:to_server; sid:102;)
        pass tls ${var.vpc_cidr} any -> any 443 (tls.sni; content:"spoke.example"; startswith; endswith; sid:103;)
        pass tls $SPOKE any -> any 443 (tls.sni; content:"spoke.example"; startswith; endswith; sid:104;)
      EOT
    }
    stateful_rule_options {
      rule_order = "STRICT_ORDER"
    }
  }

  tags = {
    Name = "allow"
  }
}

resource "aws_networkfirewall_rule_group" "list" {
  capacity = 100
  name     = "list"
  type     = "STATEFUL"
  rule_group {
    rule_variables {
      ip_sets {
        key = "HOME_NET"
        ip_set {
          definition = ["10.0.0.0/8"]
        }
      }
    }
    rules_source {
      rules_source_list {
        generated_rules_type = "ALLOWLIST"
        target_types         = ["TLS_SNI"]
        targets              = local.partners
      }
    }
    stateful_rule_options {
      rule_order = "STRICT_ORDER"
    }
  }
}

resource "aws_networkfirewall_rule_group" "ports" {
  capacity = 10
  name     = "ports"
  type     = "STATEFUL"
  rule_group {
    rules_source {
      stateful_rule {
        action = "DROP"
        header {
          protocol         = "TCP"
          direction        = "FORWARD"
          source           = "ANY"
          source_port      = "ANY"
          destination      = "ANY"
          destination_port = "25"
        }
        rule_option {
          keyword  = "sid"
          settings = ["301"]
        }
        rule_option {
          keyword = "flow:to_server"
        }
      }
      stateful_rule {
        action = "DROP"
        header {
          protocol         = "TCP"
          direction        = "ANY"
          source           = var.vpc_cidr
          source_port      = "ANY"
          destination      = "ANY"
          destination_port = "ANY"
        }
        rule_option {
          keyword = "sid:302"
        }
      }
    }
  }
}

resource "aws_networkfirewall_rule_group" "joined" {
  capacity = 10
  name     = "joined"
  type     = "STATEFUL"
  rules    = join("\n", local.legacy)
}

resource "aws_networkfirewall_rule_group" "from_file" {
  capacity = 10
  name     = "from-file"
  type     = "STATEFUL"
  rules    = file("${path.module}/rules/more.rules")
}

resource "aws_networkfirewall_rule_group" "computed" {
  capacity = 10
  name     = "computed"
  type     = "STATEFUL"
  rules    = templatefile("rules.tftpl", { home = var.vpc_cidr })
}

resource "aws_networkfirewall_firewall_policy" "this" {
  name = "egress"
  firewall_policy {
    stateless_default_actions          = ["aws:forward_to_sfe"]
    stateless_fragment_default_actions = ["aws:forward_to_sfe"]
    stateful_default_actions           = ["aws:drop_established", "aws:alert_established"]
    stateful_engine_options {
      rule_order = "STRICT_ORDER"
    }
    policy_variables {
      rule_variables {
        key = "HOME_NET"
        ip_set {
          definition = ["10.0.0.0/8", "192.168.0.0/16"]
        }
      }
    }
    stateful_rule_group_reference {
      priority     = 10
      resource_arn = aws_networkfirewall_rule_group.ports.arn
    }
    stateful_rule_group_reference {
      priority     = 20
      resource_arn = aws_networkfirewall_rule_group.from_file.arn
    }
    stateful_rule_group_reference {
      priority     = 30
      resource_arn = aws_networkfirewall_rule_group.allow_domains.arn
    }
    stateful_rule_group_reference {
      priority     = 40
      resource_arn = aws_networkfirewall_rule_group.joined.arn
    }
    stateful_rule_group_reference {
      priority     = 50
      resource_arn = aws_networkfirewall_rule_group.list.arn
    }
    stateful_rule_group_reference {
      priority     = 60
      resource_arn = "arn:aws:network-firewall:eu-west-1:aws-managed:stateful-rulegroup/ThreatSignaturesMalwareStrictOrder"
    }
  }
}
