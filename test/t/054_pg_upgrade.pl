# pg_upgrade: a cluster with rows in the tables of the extension, and with objects that
# depend on it, is the same afterwards, and its tokens can be opened.
#
# It is upgraded to the same major version.  SMARTCAR_OLD_BINDIR names the programs of an
# older major that has the extension; without it, that part is skipped.
# too; without it, that part is skipped.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Manager;
use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my @tables = sort values %Manager::table;

sub upgrade
{
	my ($name, $old_bindir) = @_;
	my %where = defined $old_bindir ? (install_path => $old_bindir =~ s{/bin/?$}{}r) : ();
	my $old = PostgreSQL::Test::Cluster->new("old_$name", %where);
	my $new = PostgreSQL::Test::Cluster->new("new_$name");
	# 18 has checksums by default, and both clusters must have them or neither
	my @init = (extra => [ '--locale=C', '--encoding=UTF8', '--data-checksums' ]);

	$sandbox->ask('reset', {});
	$old->init(@init);
	$old->start;

	# Rows of all kinds
	Manager::create_server($old, 'smartcar', $sandbox->url);
	my $session = Session->new($old);
	my $ben = $sandbox->connect(owner => 'ben', external_id => 'owner-ben');
	my ($state) = $session->query("SELECT smartcar_begin_connect('owner-ben')") =~ /[?&]state=([^&]*)/;
	like($session->query("CALL smartcar_finish_connect('?code=$ben->{code}&state=$state')"), qr/^finished\|/m, "$name: an owner connects");
	my $event = $sandbox->ask('webhook', { type => 'VEHICLE_ERROR', event_id => 'event-1', user_id => $ben->{user_id}, vehicle_id => $ben->{vehicles}[0],
		error => { type => 'CONNECTED_SERVICES_ACCOUNT', code => 'AUTHENTICATION_FAILED' } })->{deliveries}[0];
	is($session->query('SELECT smartcar_receive_webhook(convert_to(' . Sandbox::quoted($event->{body}) . ", 'UTF8'), '$event->{signature}') IS NOT NULL"), 't', "$name: an event comes");

	# Objects that depend on the extension
	$old->safe_psql('postgres', <<'SQL');
		CREATE ROLE app;
		SELECT smartcar_grant('app', 'application', 'smartcar');
		SELECT smartcar_begin_connect('waits');
		CREATE VIEW todo AS SELECT vehicle_id, action, action_url FROM smartcar_status WHERE action <> 'none';
		CREATE TABLE trouble (id integer PRIMARY KEY, error smartcar_error, action smartcar_action DEFAULT 'none', callback smartcar_callback);
		INSERT INTO trouble VALUES
			(1, smartcar_parse_error('{"type": "VEHICLE_STATE", "code": "ASLEEP"}', 409), 'retry', smartcar_parse_callback('code=c&state=s')),
			(2, NULL, 'add_virtual_key', NULL);
		CREATE TABLE grants (owner text, scope text[]);
		INSERT INTO grants SELECT 'owner ' || i, CASE i % 3 WHEN 0 THEN '{read_location}' ELSE '{read_location,read_odometer}' END::text[] FROM generate_series(1, 3000) AS i;
		CREATE INDEX who_lacks ON grants (owner) WHERE NOT smartcar_has_scopes(scope, '{read_odometer}');
		CREATE INDEX by_permissions ON grants (smartcar_tesla_permissions(scope));
		CREATE TABLE logged (callback text, code text GENERATED ALWAYS AS ((smartcar_parse_callback(callback)).code) STORED);
		INSERT INTO logged VALUES ('code=c1&state=s');
SQL
	my $content = sub {
		my ($node) = @_;
		my @queries = (
			map({ "SELECT '$_', count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM $_ AS t" } @tables, qw(trouble grants logged todo smartcar_permission_mapping)),
			q(SELECT srvoptions, umoptions FROM pg_foreign_server s JOIN pg_user_mapping m ON m.umserver = s.oid),
			q(SELECT extversion, extnamespace::regnamespace, array_length(extconfig, 1) FROM pg_extension WHERE extname = 'smartcar_tesla'),
			q(SELECT p.oid::regprocedure, p.proacl FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid
				WHERE e.extname = 'smartcar_tesla' ORDER BY p.oid::regprocedure::text),
			q(SELECT enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = enumtypid WHERE typname = 'smartcar_action' ORDER BY enumsortorder),
			q(SET enable_seqscan = off; SELECT count(*), min(owner) FROM grants WHERE NOT smartcar_has_scopes(scope, '{read_odometer}') AND owner > ''));

		return join "\n", map { $node->safe_psql('postgres', $_) } @queries;
	};
	my $before = $content->($old);
	like($before, qr/^$Manager::table{account}\|1\|.*^$Manager::table{connection}\|2\|.*^$Manager::table{session}\|2\|.*^$Manager::table{webhook_event}\|1\|/ms, "$name: every table has rows");
	$session->finish;
	$old->stop;

	$new->init(@init);
	my $directory = $new->basedir;
	chdir $directory or die;
	my $done = run_log([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $old_bindir // $new->config_data('--bindir'),
		'-B', $new->config_data('--bindir'), '-s', $new->host, '-p', $old->port, '-P', $new->port ]);
	ok($done, "$name: pg_upgrade succeeds");
	return if !$done;
	$new->start;

	is($content->($new), $before, "$name: everything is unchanged");
	like($new->safe_psql('postgres', q(SET enable_seqscan = off; EXPLAIN SELECT * FROM grants WHERE NOT smartcar_has_scopes(scope, '{read_odometer}') AND owner > '')),
		qr/who_lacks/, "$name: the index is used");
	is($new->safe_psql('postgres', "SELECT smartcar_get_user(smartcar_access_token('owner-ben'))"), $ben->{user_id}, "$name: the access token can be opened and works");
	Manager::make_due($new);
	is(Manager::counts($new->safe_psql('postgres', 'CALL smartcar_refresh()')), '1|0|0', "$name: the refresh token works");
	like($new->safe_psql('postgres', 'CALL smartcar_sync()'), qr/^1\|0\|0\|\d+$/, "$name: smartcar_sync()");
	is($new->safe_psql('postgres', "SET SESSION AUTHORIZATION app; SELECT count(smartcar_begin_connect('later')) FROM smartcar_status"), 2, "$name: privileges are kept");
	$new->safe_psql('postgres', 'DROP VIEW todo; DROP TABLE trouble, grants, logged; DROP EXTENSION smartcar_tesla CASCADE');
	is($new->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname LIKE 'smartcar%' OR relnamespace = to_regnamespace('smartcar_tesla')"), 0, "$name: DROP EXTENSION drops all of it");
	$new->stop;
	return;
}

upgrade('same_major');
SKIP:
{
	skip('no older major: SMARTCAR_OLD_BINDIR is not set', 1) if !defined $ENV{SMARTCAR_OLD_BINDIR};
	upgrade('other_major', $ENV{SMARTCAR_OLD_BINDIR});
}
done_testing();
