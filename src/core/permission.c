/*-------------------------------------------------------------------------
 *
 * permission.c
 *	  Smartcar's permissions and the Tesla permissions that they need.
 *
 * The mapping is the table "Permission Mappings" of Smartcar's page on the
 * upgraded Tesla integration
 * (https://smartcar.com/docs/help/oem-integrations/tesla/developers).  A later
 * version of that page has the names of the Tesla scopes.  All permissions are
 * listed in https://smartcar.com/docs/api-reference/permissions.
 *
 * src/core/permission.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/permission.h"

#define TEXT(literal)	{(literal), sizeof(literal) - 1}
#define PERMISSION(name, tesla)	{TEXT(name), TEXT("required%3A" name), tesla}

const SmartcarPermission smartcar_permission_table[SMARTCAR_PERMISSION_COUNT] = {
	PERMISSION("control_charge", SMARTCAR_TESLA_VEHICLE_CHARGE_MANAGEMENT),
	PERMISSION("control_climate", SMARTCAR_TESLA_VEHICLE_COMMANDS),
	PERMISSION("control_navigation", SMARTCAR_TESLA_VEHICLE_COMMANDS),
	PERMISSION("control_pin", SMARTCAR_TESLA_VEHICLE_COMMANDS),
	PERMISSION("control_security", SMARTCAR_TESLA_VEHICLE_COMMANDS),
	PERMISSION("control_trunk", SMARTCAR_TESLA_VEHICLE_COMMANDS),
	PERMISSION("read_battery", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_charge_records", SMARTCAR_TESLA_VEHICLE_CHARGE_MANAGEMENT),
	PERMISSION("read_charge", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_climate", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_compass", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_engine_oil", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_extended_vehicle_info", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_fuel", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_location", SMARTCAR_TESLA_VEHICLE_LOCATION),
	PERMISSION("read_odometer", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_security", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_speedometer", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_thermometer", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_tires", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_user_profile", SMARTCAR_TESLA_PROFILE_INFORMATION),
	PERMISSION("read_vehicle_info", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_vin", SMARTCAR_TESLA_VEHICLE_INFORMATION),
	PERMISSION("read_alerts", SMARTCAR_TESLA_NONE),
	PERMISSION("read_charge_events", SMARTCAR_TESLA_NONE),
	PERMISSION("read_charge_locations", SMARTCAR_TESLA_NONE),
	PERMISSION("read_diagnostics", SMARTCAR_TESLA_NONE),
	PERMISSION("read_service_history", SMARTCAR_TESLA_NONE)
};

static const struct
{
	SmartcarSpan name;
	SmartcarSpan scope;
}			tesla_permissions[SMARTCAR_TESLA_PERMISSION_COUNT] =
{
	[SMARTCAR_TESLA_NONE] = {{NULL, 0}, {NULL, 0}},
	[SMARTCAR_TESLA_PROFILE_INFORMATION] = {TEXT("Profile Information"), TEXT("user_data")},
	[SMARTCAR_TESLA_VEHICLE_INFORMATION] = {TEXT("Vehicle Information"), TEXT("vehicle_device_data")},
	[SMARTCAR_TESLA_VEHICLE_LOCATION] = {TEXT("Vehicle Location"), TEXT("vehicle_location")},
	[SMARTCAR_TESLA_VEHICLE_COMMANDS] = {TEXT("Vehicle Commands"), TEXT("vehicle_cmds")},
	[SMARTCAR_TESLA_VEHICLE_CHARGE_MANAGEMENT] = {TEXT("Vehicle Charge Management"), TEXT("vehicle_charging_cmds")}
};

/*
 * Wrong names that applications use: control_lock and control_unlock after the
 * commands (issue 39 of smartcar/javascript-sdk, from which others copied
 * them), read_tire_pressure after the endpoint /tires/pressure of the v2.0 API.
 */
static const struct
{
	SmartcarSpan alias;
	SmartcarSpan name;
}			aliases[] =
{
	{TEXT("control_lock"), TEXT("control_security")},
	{TEXT("control_unlock"), TEXT("control_security")},
	{TEXT("read_tire_pressure"), TEXT("read_tires")}
};

/*
 * A perfect hash of the names.  Every element of every array of scopes is looked
 * up: with a binary search, a link whose ten scopes come from a column takes 0.3
 * microseconds longer.  The hash uses the length of a name and three of its
 * characters (the sixth, the last but one and the last).  The multipliers were
 * found by trial: no two names have the same slot.  If a new name collides,
 * compilers warn that an element is initialized twice, and tests miss a
 * permission; then try other multipliers.
 */
#define SLOT_COUNT	64
#define SLOT(length, sixth, last_but_one, last) \
	(((length) * 3 + (last_but_one) * 21 + (sixth) * 7 + (last)) % SLOT_COUNT)

#define SHORTEST_NAME	8		/* read_vin */
#define LONGEST_NAME	26		/* read_extended_vehicle_info */

_Static_assert(SHORTEST_NAME >= 8 && LONGEST_NAME <= 32, "is_same_name() reads four words");

/* the index in smartcar_permission_table plus one; 0 is an empty slot */
static const uint8_t slots[SLOT_COUNT] = {
	[SLOT(14, 'o', 'g', 'e')] = 1,	/* control_charge */
	[SLOT(15, 'o', 't', 'e')] = 2,	/* control_climate */
	[SLOT(18, 'o', 'o', 'n')] = 3,	/* control_navigation */
	[SLOT(11, 'o', 'i', 'n')] = 4,	/* control_pin */
	[SLOT(16, 'o', 't', 'y')] = 5,	/* control_security */
	[SLOT(13, 'o', 'n', 'k')] = 6,	/* control_trunk */
	[SLOT(12, 'b', 'r', 'y')] = 7,	/* read_battery */
	[SLOT(19, 'c', 'd', 's')] = 8,	/* read_charge_records */
	[SLOT(11, 'c', 'g', 'e')] = 9,	/* read_charge */
	[SLOT(12, 'c', 't', 'e')] = 10, /* read_climate */
	[SLOT(12, 'c', 's', 's')] = 11, /* read_compass */
	[SLOT(15, 'e', 'i', 'l')] = 12, /* read_engine_oil */
	[SLOT(26, 'e', 'f', 'o')] = 13, /* read_extended_vehicle_info */
	[SLOT(9, 'f', 'e', 'l')] = 14,	/* read_fuel */
	[SLOT(13, 'l', 'o', 'n')] = 15, /* read_location */
	[SLOT(13, 'o', 'e', 'r')] = 16, /* read_odometer */
	[SLOT(13, 's', 't', 'y')] = 17, /* read_security */
	[SLOT(16, 's', 'e', 'r')] = 18, /* read_speedometer */
	[SLOT(16, 't', 'e', 'r')] = 19, /* read_thermometer */
	[SLOT(10, 't', 'e', 's')] = 20, /* read_tires */
	[SLOT(17, 'u', 'l', 'e')] = 21, /* read_user_profile */
	[SLOT(17, 'v', 'f', 'o')] = 22, /* read_vehicle_info */
	[SLOT(8, 'v', 'i', 'n')] = 23,	/* read_vin */
	[SLOT(11, 'a', 't', 's')] = 24, /* read_alerts */
	[SLOT(18, 'c', 't', 's')] = 25, /* read_charge_events */
	[SLOT(21, 'c', 'n', 's')] = 26, /* read_charge_locations */
	[SLOT(16, 'd', 'c', 's')] = 27, /* read_diagnostics */
	[SLOT(20, 's', 'r', 'y')] = 28, /* read_service_history */
};

/*
 * Removes the prefix "required:", which belongs to the link and not to the name
 * of the permission.  Returns whether there was one.
 */
bool
smartcar_permission_strip_required(SmartcarSpan *name)
{
	static const SmartcarSpan prefix = TEXT("required:");

	/* most names have no prefix: compare one byte before all nine */
	if (name->length <= prefix.length || name->data[prefix.length - 1] != ':' ||
		!smartcar_span_starts_with(*name, prefix))
		return false;
	*name = smartcar_span_skip(*name, prefix.length);
	return true;
}

/*
 * Whether a name has the form of a permission: letters, digits, '_', '-', '.'
 * and ':', beginning with a letter.  An unknown name can be a permission that
 * Smartcar has added, but a malformed one cannot.
 */
bool
smartcar_permission_well_formed(SmartcarSpan name)
{
	if (name.length == 0 || name.length > SMARTCAR_PERMISSION_MAX_LENGTH ||
		!smartcar_is_lower(smartcar_ascii_lower(name.data[0])))
		return false;

	for (size_t i = 1; i < name.length; i++)
	{
		char		c = smartcar_ascii_lower(name.data[i]);

		if (!smartcar_is_lower(c) && !smartcar_is_digit(c) &&
			c != '_' && c != '-' && c != '.' && c != ':')
			return false;
	}

	/* the caller has removed one "required:", so this one is a mistake */
	return !smartcar_span_starts_with(name, SMARTCAR_SPAN("required:"));
}

static inline uint64_t
word_at(const char *data, size_t offset)
{
	uint64_t	word;

	memcpy(&word, data + offset, sizeof(word));
	return word;
}

/*
 * Whether two names of the same length, from SHORTEST_NAME to LONGEST_NAME, are
 * equal.  Four words, which may overlap, cover both.  memcmp() would branch by the
 * length, and a link whose ten scopes come from a column would take a tenth longer.
 */
static inline bool
is_same_name(const char *a, const char *b, size_t length)
{
	size_t		last = length - sizeof(uint64_t);
	size_t		second = last < 8 ? last : 8;
	size_t		third = last < 16 ? last : 16;

	return ((word_at(a, 0) ^ word_at(b, 0)) |
			(word_at(a, second) ^ word_at(b, second)) |
			(word_at(a, third) ^ word_at(b, third)) |
			(word_at(a, last) ^ word_at(b, last))) == 0;
}

/*
 * The index of a permission in smartcar_permission_table, or -1 if it is unknown.
 * The name has no "required:".
 */
int
smartcar_permission_find(SmartcarSpan name)
{
	const unsigned char *data = (const unsigned char *) name.data;
	int			index;

	if (name.length < SHORTEST_NAME || name.length > LONGEST_NAME)
		return -1;
	index = slots[SLOT(name.length, data[5], data[name.length - 2],
					   data[name.length - 1])] - 1;
	if (index < 0 || smartcar_permission_table[index].name.length != name.length ||
		!is_same_name(smartcar_permission_table[index].name.data, name.data, name.length))
		return -1;
	return index;
}

/*
 * Suggests the permission that an unknown name stands for, ignoring its case;
 * no data if there is none.  The v1 API split permissions by a suffix, as in
 * control_security:unlock; the permission without the suffix replaces them.
 */
SmartcarSpan
smartcar_permission_suggest(SmartcarSpan name)
{
	const char *colon = name.length > 0 ? memchr(name.data, ':', name.length) : NULL;

	if (colon != NULL)
		name.length = (size_t) (colon - name.data);
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
	{
		if (smartcar_span_equal_ignoring_case(name, aliases[i].alias))
			return aliases[i].name;
	}
	for (int i = 0; i < SMARTCAR_PERMISSION_COUNT; i++)
	{
		if (smartcar_span_equal_ignoring_case(name, smartcar_permission_table[i].name))
			return smartcar_permission_table[i].name;
	}
	return smartcar_span(NULL, 0);
}

/* The name on Tesla's consent screen, for example "Vehicle Location". */
SmartcarSpan
smartcar_tesla_permission_name(SmartcarTeslaPermission tesla)
{
	return tesla_permissions[tesla].name;
}

/* The name in Tesla's API, for example "vehicle_location". */
SmartcarSpan
smartcar_tesla_permission_scope(SmartcarTeslaPermission tesla)
{
	return tesla_permissions[tesla].scope;
}

/*
 * The permission of a scope of Tesla's API, or SMARTCAR_TESLA_NONE for the scopes
 * that Smartcar's table does not use.
 */
SmartcarTeslaPermission
smartcar_tesla_permission_find_scope(SmartcarSpan scope)
{
	for (int i = SMARTCAR_TESLA_NONE + 1; i < SMARTCAR_TESLA_PERMISSION_COUNT; i++)
	{
		if (smartcar_span_equal(tesla_permissions[i].scope, scope))
			return (SmartcarTeslaPermission) i;
	}
	return SMARTCAR_TESLA_NONE;
}
