CREATE TABLE audit (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  at TIMESTAMP WITH TIME ZONE NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  facts JSONB NOT NULL,
  hash BYTEA NOT NULL,
  CONSTRAINT pk_audit PRIMARY KEY (id)
);
CREATE TABLE calendar_year (
  year INTEGER NOT NULL,
  version INTEGER NOT NULL,
  body JSONB NOT NULL,
  imported_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_calendar_year PRIMARY KEY (year, version)
);
CREATE TABLE dead_letter (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  consumer TEXT NOT NULL,
  topic TEXT NOT NULL,
  shard SMALLINT,
  n BIGINT,
  subject TEXT,
  type TEXT,
  body BYTEA NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  settled_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_dead_letter PRIMARY KEY (id)
);
CREATE INDEX ix_dead_letter_waiting ON dead_letter (consumer, topic, subject) WHERE state IN ('dead', 'parked');
CREATE TABLE idempotency (
  principal TEXT NOT NULL,
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status SMALLINT,
  headers JSONB,
  body BYTEA,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_idempotency PRIMARY KEY (principal, route, key)
);
CREATE TABLE inbox_gap (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  consumer TEXT NOT NULL,
  topic TEXT NOT NULL,
  shard SMALLINT NOT NULL,
  expected BIGINT NOT NULL,
  got BIGINT NOT NULL,
  seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  repaired_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_inbox_gap PRIMARY KEY (id)
);
CREATE TABLE inbox_watermark (
  consumer TEXT NOT NULL,
  topic TEXT NOT NULL,
  shard SMALLINT NOT NULL,
  applied BIGINT NOT NULL,
  CONSTRAINT pk_inbox_watermark PRIMARY KEY (consumer, topic, shard)
)
 WITH (fillfactor = 50);
CREATE TABLE outbox (
  topic TEXT NOT NULL,
  shard SMALLINT NOT NULL,
  n BIGINT NOT NULL,
  id UUID NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  data JSONB NOT NULL,
  traceparent TEXT,
  stored_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_outbox PRIMARY KEY (topic, shard, n)
);
CREATE TABLE outbox_cursor (
  topic TEXT NOT NULL,
  shard SMALLINT NOT NULL,
  sent BIGINT NOT NULL,
  CONSTRAINT pk_outbox_cursor PRIMARY KEY (topic, shard)
)
 WITH (fillfactor = 50);
CREATE TABLE outbox_shard (
  topic TEXT NOT NULL,
  shard SMALLINT NOT NULL,
  n BIGINT NOT NULL,
  CONSTRAINT pk_outbox_shard PRIMARY KEY (topic, shard)
)
 WITH (fillfactor = 50);
CREATE TABLE policy (
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  effective_from DATE NOT NULL,
  body JSONB NOT NULL,
  digest TEXT NOT NULL,
  loaded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_policy PRIMARY KEY (name, version)
);
CREATE TABLE relay_lease (
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  fence BIGINT NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_relay_lease PRIMARY KEY (name)
);
CREATE TABLE timer (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  start_at TIMESTAMP WITH TIME ZONE NOT NULL,
  amount INTEGER NOT NULL,
  unit TEXT NOT NULL,
  clause TEXT NOT NULL,
  calendar_version TEXT NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE NOT NULL,
  warn_at TIMESTAMP WITH TIME ZONE,
  state TEXT NOT NULL,
  warned_at TIMESTAMP WITH TIME ZONE,
  settled_at TIMESTAMP WITH TIME ZONE,
  retry_at TIMESTAMP WITH TIME ZONE,
  attempts INTEGER DEFAULT '0' NOT NULL,
  CONSTRAINT pk_timer PRIMARY KEY (id)
);
CREATE INDEX ix_timer_due ON timer (due_at) WHERE state = 'armed';
CREATE INDEX ix_timer_warn ON timer (warn_at) WHERE state='armed' AND warned_at IS NULL;
CREATE UNIQUE INDEX uq_timer_armed ON timer (subject, kind) WHERE state = 'armed';
