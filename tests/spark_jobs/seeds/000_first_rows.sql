select request_time, status_code, request, response
        from users.takaaki_yayoi.`taka_ai_gateway_endpoint_payload`
        where status_code=200
        limit 10
