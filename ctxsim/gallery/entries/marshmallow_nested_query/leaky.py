"""Prices of a wholesaler, made for each customer by a nested schema.

marshmallow 3 merges the context of the outer schema into the nested one. `Nested(ItemSchema())`
has one instance for the whole process, so the last customer who asked is everybody's customer.
The query gives every other request the time to do so.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from marshmallow import Schema, fields

from ctxsim import pause


class ItemSchema(Schema):
    price = fields.Method("price_for_customer")

    def price_for_customer(self, item):
        # The price depends on the customer: one query.
        pause(0.001)
        return f"{item['price']} for {self.context['customer']}"


class OfferSchema(Schema):
    item = fields.Nested(ItemSchema())


def app(environ, start_response):
    customer = parse_qs(environ["QUERY_STRING"])["customer"][0]
    offer = OfferSchema(context={"customer": customer}).dump({"item": {"price": 12}})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [offer["item"]["price"].encode()]
