--
-- Tesla's virtual key
--

SELECT make, model, year, smartcar_virtual_key_required(make, model, year) AS required FROM (VALUES
	('TESLA', 'Model 3', 2018), ('TESLA', 'Model 3', NULL), ('Tesla', 'model y', 2020), ('tesla', 'MODEL Y', NULL),
	('TESLA', 'Cybertruck', 2024), ('TESLA', 'Cyber Truck', NULL), ('TESLA', 'CYBERTRUCK Foundation Series', 2024),
	('TESLA', 'Model S', 2020), ('TESLA', 'Model S', 2021), ('TESLA', 'Model X', 2020), ('TESLA', 'Model X', 2021),
	('TESLA', 'Model S', 2012), ('TESLA', 'Model S Plaid', 2022), ('TESLA', 'Model-X', 2016), ('TESLA', 'Model3', 2019),
	('TESLA', 'model_3', 2019), ('TESLA', 'Model 3 Performance', 2019),
	('TESLA', 'Model S', NULL), ('TESLA', 'Model X', 0), ('TESLA', 'Model S', -5), ('TESLA', 'Model S', 2147483647),
	('TESLA', 'Roadster', 2010), ('TESLA', 'Semi', 2024), ('TESLA', 'Model 30', 2024), ('TESLA', 'Model', 2024),
	('TESLA', 'Model ', 2024), ('TESLA', '3', 2024), ('TESLA', '', 2024), ('TESLA', NULL, 2024), ('TESLA', 'Cyber', 2024),
	('BMW', 'Model 3', 2024), ('FORD', NULL, NULL), (NULL, 'Model 3', 2024), ('', 'Model 3', 2024), ('TESLAX', 'Model 3', 2024)
) AS v (make, model, year);
SELECT smartcar_virtual_key_required(repeat('x', 1000000), repeat('y', 1000000), 2020);
SELECT smartcar_virtual_key_required('TESLA', 'Model' || repeat(' ', 1000000) || '3', 2020);

-- the link
SELECT smartcar_virtual_key_url();
SELECT smartcar_virtual_key_url('acme.app.car');
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (virtual_key_domain 'acme.app.car');
CREATE SERVER default_key FOREIGN DATA WRAPPER smartcar_tesla;
SELECT smartcar_virtual_key_url();
SELECT smartcar_virtual_key_url(server => 'default_key');
SELECT smartcar_virtual_key_url('other.app.car', 'smartcar');
SELECT smartcar_virtual_key_url(server => 'no_such_server');
SELECT smartcar_virtual_key_url('');
SELECT smartcar_virtual_key_url('Acme.app.car');
SELECT smartcar_virtual_key_url('acme.app.car/../x');
SELECT smartcar_virtual_key_url('acme.app.car?x');
SELECT smartcar_virtual_key_url('acme.app.car:443');
SELECT smartcar_virtual_key_url('acme.app.car@evil.example');
SELECT smartcar_virtual_key_url('smärt.example');
SELECT smartcar_virtual_key_url(E'acme.app.car\n');
SELECT smartcar_virtual_key_url(repeat('a.', 500000) || 'b');
DROP SERVER smartcar;
DROP SERVER default_key;
